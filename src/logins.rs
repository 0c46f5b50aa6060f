//! How logins come into the database: a Job for each that is alive, and the namespace where these Jobs run. What a login is
//! called and how many live, the database says; the namespace itself and its secret store are every namespace's affair.

use crate::{
    database::{Database, NAMESPACE, Share},
    foundation::Environment,
    page::{Page, mounted},
    pages,
    words::{Cpu, Memory},
};

/// The Jobs of one environment, and what they share.
pub fn pages(environment: &Environment, shares: &[Share]) -> Vec<Page> {
    let Some(database) = &environment.database else { return Vec::new() };
    let room = &Room { jobs: shares.iter().map(|it| it.logins().len() as u32).sum() };
    let mut pages = pages! { { environment: Environment, room: Room }
        Resource "kubernetes-manifest/clusters/{environment}/databases/limits.yaml",
        Resource "kubernetes-manifest/clusters/{environment}/databases/master.yaml",
        Resource "kubernetes-manifest/clusters/{environment}/databases/network-policies.yaml",
        Resource "kubernetes-manifest/clusters/{environment}/databases/quota.yaml",
        Resource "kubernetes-manifest/clusters/{environment}/databases/service-account.yaml",
    };
    // The same words in each environment: what differs, a Job brings along.
    pages.extend(mounted(
        "login",
        NAMESPACE,
        pages! { { environment: Environment }
            Unlisted "kubernetes-manifest/clusters/{environment}/databases/scripts/authority.sh",
            Unlisted "kubernetes-manifest/clusters/{environment}/databases/scripts/login.sh",
            Unlisted "kubernetes-manifest/clusters/{environment}/databases/scripts/login.sql",
        },
    ));
    for share in shares {
        let Share { application, .. } = share;
        for login in &share.logins() {
            pages.extend(pages! {
                { environment: Environment, database: Database, share: Share, login: u32, room: Room }
                Resource "kubernetes-manifest/clusters/{environment}/databases/logins/{application}-{login}.yaml",
            });
        }
    }
    pages
}

/// What the Jobs need, and the namespace allows.
struct Room {
    /// How many there are.
    jobs: u32,
}

impl Room {
    /// What a pod of a Job asks for: it waits for a network most of the time.
    fn cpu(&self) -> Cpu {
        Cpu(50)
    }

    fn memory(&self) -> Memory {
        Memory(64)
    }

    /// A Job that is replaced may have two pods for a while.
    fn quota_pods(&self) -> u32 {
        2 * self.jobs
    }

    fn quota_cpu(&self) -> Cpu {
        Cpu(self.cpu().0 * self.quota_pods())
    }

    fn quota_memory(&self) -> Memory {
        Memory(self.memory().0 * self.quota_pods())
    }
}
