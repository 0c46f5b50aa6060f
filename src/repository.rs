//! The repository of an application: what builds, checks and releases it, and its starter program. How it runs is decided in
//! the manifests.

use crate::{
    application::{
        Application, Variable, Workload,
        container::Trial,
        delivery::{Delivery, DeliveryRoutes},
    },
    certificates,
    foundation::{Environment, Foundation},
    page::{Page, Place, Role, seeded},
    pages,
    program::Language,
};

/// `environments` is for lists that name them all, and `ways` say how a release reaches each of them.
pub fn pages(
    application: &Application,
    foundation: &Foundation,
    environments: &Vec<Environment>,
    workloads: &[&Workload],
    ways: &DeliveryRoutes,
) -> Vec<Page> {
    let Application { repository, program, .. } = application;
    let regions = regions(application, environments);
    let trusting = &!regions.is_empty();
    let trial = &trial(application, foundation, workloads);
    let mut pages = pages! { { application: Application, foundation: Foundation, ways: DeliveryRoutes }
        Unlisted "{repository}/.github/pull_request_template.md",
        Unlisted "{repository}/.dockerignore",
        Unlisted "{repository}/.gitattributes",
        Unlisted "{repository}/.github/requirements.txt",
        Unlisted "{repository}/.github/workflows/ci.yml",
        Unlisted "{repository}/.github/workflows/release.yml",
        Unlisted "{repository}/.github/workflows/title.yml",
        Unlisted "{repository}/.github/scripts/build.sh",
        Unlisted "{repository}/.github/scripts/earlier.sh",
        Unlisted "{repository}/.github/scripts/publish.sh",
        Unlisted "{repository}/.github/scripts/release.sh",
        Unlisted "{repository}/.github/scripts/scan.sh",
        Unlisted "{repository}/.github/scripts/verify.sh",
        Unlisted "{repository}/.github/scripts/version.sh",
    };
    pages.extend(pages! { {
        application: Application, foundation: Foundation, environments: Vec<Environment>, ways: DeliveryRoutes
    }
        Unlisted "{repository}/README.md",
    });
    pages.extend(pages! { { application: Application, foundation: Foundation, trial: Trial }
        Unlisted "{repository}/.github/scripts/smoke.sh",
    });
    // Without a language, what builds the image is a person's own.
    if program.language.is_some() {
        pages.extend(pages! { { application: Application, foundation: Foundation, trusting: bool }
            Unlisted "{repository}/Dockerfile",
        });
    }
    if *trusting {
        pages.push(Page::computed(
            Place::Application(repository.to_string()),
            CERTIFICATES.to_owned(),
            Role::Unlisted,
            certificates::bundle(regions),
        ));
    }
    if !ways.pulled().is_empty() {
        pages.extend(pages! { { application: Application, foundation: Foundation }
            Unlisted "{repository}/.github/scripts/deliver.sh",
        });
    }
    if !application.code_owners.is_empty() {
        pages.extend(pages! { { application: Application }
            Unlisted "{repository}/CODEOWNERS",
        });
    }
    let pinned = &pinned(&pages);
    pages.extend(pages! { { application: Application, foundation: Foundation, pinned: Vec<String> }
        Unlisted "{repository}/renovate.json",
    });
    pages.extend(seeded(pages! { { application: Application, trial: Trial }
        Unlisted "{repository}/.github/smoke.env",
        Unlisted "{repository}/.gitignore",
    }));
    if program.starter {
        pages.extend(starter(application, foundation));
    }
    pages
}

/// Variables that only environments name are taken from the first of them.
fn trial(application: &Application, foundation: &Foundation, workloads: &[&Workload]) -> Trial {
    let only: Vec<Variable> = workloads.iter().flat_map(|it| it.variables.clone()).collect();
    let permitted = workloads.iter().any(|it| !it.permissions.is_empty());
    Trial::of(application, &only, permitted, foundation.is_emulated())
}

/// The files in which Renovate would find versions, which are updated by blueprint instead.
fn pinned(pages: &[Page]) -> Vec<String> {
    let holds = |path: &&str| {
        [".github/workflows/", ".github/requirements.txt", "Dockerfile"].iter().any(|it| path.starts_with(it))
    };
    pages.iter().map(|page| page.path.as_str()).filter(holds).map(str::to_owned).collect()
}

/// Where the certificates of the databases lie. No `.dockerignore` of ours hides it.
const CERTIFICATES: &str = "certificates/rds.pem";

/// The image is one for all environments, so it knows the databases of all of them.
fn regions(application: &Application, environments: &[Environment]) -> Vec<String> {
    let databases = environments.iter().filter(|it| it.database.is_some() && application.database.is_some());
    databases.map(|it| it.region.to_string()).collect()
}

/// How long the starter takes to end, in milliseconds: together less than what it is given.
struct Ending {
    drain: u32,
    stop: u32,
}

impl Ending {
    fn of(application: &Application) -> Self {
        let given = application.shutdown.drain * 1000;
        Self { drain: (given / 6).min(5000), stop: given / 3 * 2 }
    }
}

/// A program that shows how to meet the requirements of the platform. It belongs to the user after its first commit.
fn starter(application: &Application, foundation: &Foundation) -> Vec<Page> {
    let repository = &application.repository;
    let ending = &Ending::of(application);
    let mut pages = pages! { { application: Application, foundation: Foundation, ending: Ending }
        Unlisted "{repository}/go.mod",
        Unlisted "{repository}/go.sum",
        Unlisted "{repository}/main.go",
        Unlisted "{repository}/service.go",
        Unlisted "{repository}/service_test.go",
        Unlisted "{repository}/settings.go",
        Unlisted "{repository}/settings_test.go",
    };
    if application.database.is_some() {
        pages.extend(pages! { { application: Application }
            Unlisted "{repository}/database.go",
            Unlisted "{repository}/database_test.go",
        });
    }
    seeded(pages)
}
