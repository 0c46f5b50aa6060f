//! The repository of an application: workflows, Dockerfile and starter program. The manifests define how it runs.

use crate::{
    application::{
        Application, Variable, Workload,
        container::SmokeTest,
        delivery::{Delivery, DeliveryRoutes},
    },
    certificates,
    foundation::{Environment, Foundation},
    page::{Page, Place, Role, seeded},
    pages,
    program::{Language, Program},
    shared_values::Shared,
    words::Text,
};

/// `environments` is for lists of all environments, `routes` for how a release reaches each of them.
pub fn pages(
    application: &Application,
    foundation: &Foundation,
    environments: &Vec<Environment>,
    workloads: &[&Workload],
    routes: &DeliveryRoutes,
) -> Vec<Page> {
    let Application { repository, program, .. } = application;
    let regions = regions(application, environments);
    let trusting = &!regions.is_empty();
    let smoke_test = &smoke_test(application, foundation, workloads);
    let mut pages = pages! { { application: Application, foundation: Foundation, routes: DeliveryRoutes }
        Unlisted "{repository}/.github/pull_request_template.md",
        Unlisted "{repository}/.dockerignore",
        Unlisted "{repository}/.gitattributes",
        Unlisted "{repository}/.github/requirements.txt",
        Unlisted "{repository}/.github/workflows/ci.yml",
        Unlisted "{repository}/.github/workflows/release.yml",
        Unlisted "{repository}/.github/workflows/rescan.yml",
        Unlisted "{repository}/.github/workflows/title.yml",
        Unlisted "{repository}/.github/scripts/build.sh",
        Unlisted "{repository}/.github/scripts/earlier.sh",
        Unlisted "{repository}/.github/scripts/publish.sh",
        Unlisted "{repository}/.github/scripts/release.sh",
        Unlisted "{repository}/.github/scripts/rescan.sh",
        Unlisted "{repository}/.github/scripts/scan.sh",
        Unlisted "{repository}/.github/scripts/verify.sh",
        Unlisted "{repository}/.github/scripts/version.sh",
    };
    pages.extend(pages! { {
        application: Application, foundation: Foundation, environments: Vec<Environment>, routes: DeliveryRoutes
    }
        Unlisted "{repository}/README.md",
    });
    pages.extend(pages! { { application: Application, foundation: Foundation, smoke_test: SmokeTest }
        Unlisted "{repository}/.github/scripts/smoke.sh",
    });
    // Without a language, the user writes the Dockerfile.
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
    if !routes.pulled().is_empty() {
        pages.extend(pages! { { application: Application, foundation: Foundation }
            Unlisted "{repository}/.github/scripts/deliver.sh",
        });
    }
    if !application.code_owners.is_empty() {
        pages.extend(pages! { { application: Application }
            Unlisted "{repository}/CODEOWNERS",
        });
    }
    let with_versions = pages.into_iter();
    let with_versions = with_versions.map(|page| page_with_versions(page, program));
    let mut pages: Vec<Page> = with_versions.collect();
    let (pinned, raised) = (&pinned(&pages), &Raised::all(program));
    pages.extend(pages! { {
        application: Application, foundation: Foundation, pinned: Vec<String>, raised: Vec<Raised>
    }
        Unlisted "{repository}/renovate.json",
    });
    pages.extend(seeded(pages! { { application: Application, smoke_test: SmokeTest }
        Unlisted "{repository}/.github/smoke.env",
        Unlisted "{repository}/.gitignore",
    }));
    if program.starter {
        pages.extend(starter(application, foundation));
    }
    pages
}

/// Variables that only environments set have the value of the first environment that sets them.
fn smoke_test(application: &Application, foundation: &Foundation, workloads: &[&Workload]) -> SmokeTest {
    let only: Vec<Variable> = workloads.iter().flat_map(|it| it.variables.clone()).collect();
    let permitted = workloads.iter().any(|it| !it.permissions.is_empty());
    SmokeTest::of(application, &only, permitted, foundation.is_emulated())
}

/// A version in files of ours that Renovate raises, within the line that the blueprint sets.
struct Raised {
    /// The name by which Renovate knows it.
    name: String,
    /// What all its versions begin with, as a regular expression. None if only the digest of its tag changes.
    versions: Option<Text>,
}

impl Raised {
    /// Those of the Dockerfile and the workflows.
    fn all(program: &Program) -> Vec<Self> {
        let mut all = vec![Self::new("go", Some(program.tool_line("go")))];
        let tool = match program.language {
            Some(Language::Node) => Some("node"),
            Some(Language::Rust) => Some("rust"),
            // Linters of every application run with Go. Python and Java come without a patch version.
            Some(Language::Go | Language::Python | Language::Java) | None => None,
        };
        all.extend(tool.map(|tool| Self::new(tool, Some(program.tool_line(tool)))));
        let images = program.language.into_iter().flat_map(Language::images);
        all.extend(images.map(|image| {
            let name = program.image(image).to_string();
            let (name, _) = name.split_once(':').expect("an image has a tag");
            Self::new(name, program.image_line(image))
        }));
        all
    }

    fn new(name: &str, line: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            versions: line.map(|line| Text::ours(format!("/^{}\\\\./", line.replace('.', "\\\\.")))),
        }
    }
}

/// The page, in which the versions of base images and toolchains may be raised.
fn page_with_versions(page: Page, program: &Program) -> Page {
    let text = page.text();
    let mut shared = Vec::new();
    if page.path == "Dockerfile" {
        for image in program.language.into_iter().flat_map(Language::images) {
            let pinned = program.image(image).to_string();
            let (name, own) = pinned.split_once(':').expect("an image has a tag");
            let line = text.lines().find(|line| line.starts_with("FROM ") && line.contains(&pinned));
            let (before, _) =
                line.and_then(|line| line.split_once(&pinned)).expect("a Dockerfile uses its images");
            let last = name.rsplit('/').next().unwrap_or(name);
            let version = program.image_line(image).unwrap_or(own);
            shared.push(Shared::within(&format!("{before}{name}:"), &format!("{last}:"), own, version));
        }
    } else if [".github/workflows/ci.yml", ".github/workflows/release.yml"].contains(&page.path.as_str()) {
        for (start, tool) in [
            ("go-version: ", "go"),
            ("node-version: ", "node"),
            ("rustup toolchain install ", "rust"),
            ("rustup default ", "rust"),
        ] {
            if text.contains(start) {
                let name = format!("{tool} ");
                shared.push(Shared::within(start, &name, program.tool(tool), program.tool_line(tool)));
            }
        }
    }
    page.shared(shared)
}

/// Files with versions that blueprint updates, so that Renovate must ignore them.
fn pinned(pages: &[Page]) -> Vec<String> {
    let holds = |path: &&str| {
        [".github/workflows/", ".github/requirements.txt", "Dockerfile"].iter().any(|it| path.starts_with(it))
    };
    pages.iter().map(|page| page.path.as_str()).filter(holds).map(str::to_owned).collect()
}

/// The file with the root certificates of the databases. The rendered `.dockerignore` does not exclude it.
const CERTIFICATES: &str = "certificates/rds.pem";

/// All environments run the same image, so it contains the root certificates for the regions of all of them.
fn regions(application: &Application, environments: &[Environment]) -> Vec<String> {
    let databases = environments.iter().filter(|it| it.database.is_some() && application.database.is_some());
    databases.map(|it| it.region.to_string()).collect()
}

/// The durations of the starter's shutdown in milliseconds, together less than the drain.
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

/// A program that meets the requirements of the platform. It is written once, and renders do not change it.
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
