//! Creates logins: for each valid login a Job, which Flux applies with a Kustomization of its own, and the shared objects of
//! these Jobs. `database` resolves the names and the numbers of logins; the namespace and its secret store are rendered like
//! those of every other namespace.

use crate::{
    certificates,
    database::{Database, NAMESPACE, Share},
    foundation::Environment,
    page::{Page, Place, Role, mounted, seeded},
    pages,
    words::{Bareword, Cpu, Memory},
};

/// The Jobs of one environment, and their shared objects.
pub fn pages(environment: &Environment, shares: &[Share]) -> Vec<Page> {
    let Some(database) = &environment.database else { return Vec::new() };
    let capacity = &JobCapacity { jobs: shares.iter().map(|it| it.logins().len() as u32).sum() };
    let mut pages = pages! { { environment: Environment, database: Database, capacity: JobCapacity }
        Resource "kubernetes-manifest/clusters/{environment}/databases/limits.yaml",
        Resource "kubernetes-manifest/clusters/{environment}/databases/master.yaml",
        Resource "kubernetes-manifest/clusters/{environment}/databases/network-policies.yaml",
        Resource "kubernetes-manifest/clusters/{environment}/databases/quota.yaml",
        Resource "kubernetes-manifest/clusters/{environment}/databases/service-account.yaml",
    };
    let mut files = pages! { { environment: Environment }
        Unlisted "kubernetes-manifest/clusters/{environment}/databases/scripts/login.sh",
        Unlisted "kubernetes-manifest/clusters/{environment}/databases/scripts/login.sql",
    };
    files.push(Page::computed(
        Place::Manifests,
        format!("clusters/{environment}/databases/scripts/rds.pem"),
        Role::Unlisted,
        certificates::bundle([environment.region.to_string()]),
    ));
    let (scripts, files) = mounted("login", NAMESPACE, files);
    let scripts = &scripts;
    for share in shares {
        let Share { application, .. } = share;
        for login in &share.logins() {
            pages.extend(pages! {
                { environment: Environment, database: Database, share: Share, login: u32, capacity: JobCapacity, scripts: Bareword }
                Resource "kubernetes-manifest/clusters/{environment}/databases/{application}-login-{login}.yaml",
                Resource "kubernetes-manifest/clusters/{environment}/databases/logins/{application}-login-{login}/login.yaml",
            });
        }
    }
    pages.extend(files);
    // One folder for all logins, so that a user's patches survive rotations.
    pages.extend(seeded(pages! { { environment: Environment }
        Unlisted "kubernetes-manifest/clusters/{environment}/databases/logins/local/kustomization.yaml",
    }));
    pages
}

/// The folders that Flux builds: one for each login.
pub fn roots(environment: &Environment, shares: &[Share]) -> Vec<String> {
    let folder = environment.cluster_folder();
    let of_share = |share: &Share| {
        let Share { application, .. } = share;
        share
            .logins()
            .into_iter()
            .map(|login| format!("{folder}/databases/logins/{application}-login-{login}"))
            .collect::<Vec<_>>()
    };
    shares.iter().flat_map(of_share).collect()
}

/// The resources of the Jobs, for the quota of the namespace.
struct JobCapacity {
    /// The number of Jobs.
    jobs: u32,
}

impl JobCapacity {
    /// The CPU request of a Job's pod, which mostly waits for the network.
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
