use blueprint::{
    catalogue::{Catalogue, KubernetesVersion, PostgresVersion, Region},
    words::{AddonVersion, DatabaseClass, Word},
};

#[test]
fn every_row_names_its_source() {
    for (name, source) in Catalogue::get().sources() {
        assert!(source.len() > 10, "`{name}` does not say where it comes from");
    }
}

#[test]
fn every_version_has_its_addons() {
    for version in KubernetesVersion::all().as_array().unwrap() {
        let version = KubernetesVersion::read(version.as_str().unwrap()).unwrap();
        let minor = version.minor();
        assert!(minor.node_image.starts_with(&format!("{version}.")), "the node image is of another version");
        assert_eq!(minor.standard_support_ends.len(), "2027-08-02".len());
        assert_eq!(minor.addons.len(), 5);
        for (name, text) in &minor.addons {
            assert!(AddonVersion::read(text).is_some(), "`{name}` of {version} has no version: `{text}`");
        }
        assert!(minor.addons["kube-proxy"].starts_with(&format!("v{version}.")));
        assert!(Catalogue::get().fits("flux", &version), "Flux is not made for {version}");
    }
    assert!(KubernetesVersion::read(&KubernetesVersion::default().to_string()).is_some());
}

/// Every class in the catalogue is a valid word, each region offers its default class, and no major version is both supported
/// and ended.
#[test]
fn every_region_has_a_database() {
    for region in Region::all().as_array().unwrap() {
        let region = Region::read(region.as_str().unwrap()).unwrap();
        assert!(["db.m6g.large", "db.m7g.large"].iter().any(|it| region.offers(&DatabaseClass::ours(it))));
        for family in region.families() {
            for size in PostgresVersion::sizes(family).unwrap_or_else(|| panic!("`{family}` has no sizes")) {
                let class = DatabaseClass::read(&format!("db.{family}.{size}")).unwrap();
                assert!(region.offers(&class), "`{class}` in `{region}`");
            }
        }
        assert!(!region.offers(&DatabaseClass::ours("db.t2.micro")));
    }
    for version in PostgresVersion::all() {
        assert!(!PostgresVersion::ended(version), "`{version}` has ended");
        assert_eq!(PostgresVersion::read(version).unwrap().standard_support_ends().len(), "2031-02-28".len());
    }
    let default = PostgresVersion::default().to_string();
    assert!(PostgresVersion::read(&default).is_some());
    let schema = blueprint::blueprint::schema();
    let key = &schema["properties"]["database"]["properties"]["engine-version"];
    assert_eq!(key["default"].as_str(), Some(default.as_str()));
}

/// The toolchain of a workflow and the image that builds are of one version, and its line is how it begins.
#[test]
fn a_line_of_a_language_has_its_versions() {
    let text = include_str!("../../src/catalogue.toml");
    let rows: toml::Table = toml::from_str(text).unwrap();
    let begins = |version: &str, line: &str| version == line || version.starts_with(&format!("{line}."));
    for (tool, image) in [("go", "golang"), ("node", "node"), ("python", "python"), ("rust", "rust")] {
        let (tool, image) = (&rows["tools"][tool], &rows["images"][image]);
        let (version, tag) = (tool["version"].as_str().unwrap(), image["version"].as_str().unwrap());
        assert_eq!(tool["line"], image["line"], "{version}");
        assert!(
            begins(version, tool["line"].as_str().unwrap())
                && begins(tag.split('-').next().unwrap(), version)
        );
    }
    for (language, lines) in rows["languages"].as_table().unwrap() {
        let known = Catalogue::get().language_lines(language);
        let default = Catalogue::get().tool_line(language);
        assert!(known.len() == lines.as_table().unwrap().len() + 1 && known[0] == default, "{known:?}");
        for (line, row) in lines.as_table().unwrap() {
            let (tool, image) = (row["tool"].as_str().unwrap(), row["image"].as_str().unwrap());
            assert!(line != default && begins(tool, line), "{language} {line}");
            assert!(image.starts_with(&format!("{tool}-")), "{language} {line}");
            assert_eq!(row["digest"].as_str().unwrap().len(), "sha256:".len() + 64, "{language} {line}");
        }
    }
}

/// EKS refuses these for its control plane.
#[test]
fn zones_that_eks_refuses_are_not_known() {
    for region in Region::all().as_array().unwrap() {
        let region = Region::read(region.as_str().unwrap()).unwrap();
        assert!(region.zones().len() >= 2, "`{region}` cannot hold a cluster");
        for zone in region.zones() {
            assert!(
                !["use1-az3", "usw1-az2", "cac1-az3"].contains(&zone.as_str()),
                "`{zone}` is refused by EKS"
            );
        }
    }
}

/// A commit is 40 hexadecimal digits, a tag names a version.
#[test]
fn actions_are_pinned() {
    let text = include_str!("../../src/catalogue.toml");
    let catalogue: toml::Table = toml::from_str(text).unwrap();
    for (name, row) in catalogue["actions"].as_table().unwrap() {
        let (tag, sha) = (row["tag"].as_str().unwrap(), row["sha"].as_str().unwrap());
        assert!(
            sha.len() == 40 && sha.bytes().all(|b| b.is_ascii_hexdigit()),
            "`{name}`: `{sha}` is no commit"
        );
        assert!(tag.starts_with('v') && tag.split('.').count() == 3, "`{name}`: `{tag}` names no version");
        let used =
            crate::walk("templates").values().any(|text| text.contains(&format!("action(\"{name}\")")));
        assert!(used, "`{name}` is used by no template");
    }
}

/// A region has all three certificate authorities of RDS, or none: then a database there is refused.
#[test]
fn certificates_are_whole_or_absent() {
    let mut without = Vec::new();
    let regions = blueprint::catalogue::Region::all();
    for region in regions.as_array().into_iter().flatten().filter_map(|it| it.as_str()) {
        let Some(roots) = blueprint::certificates::roots(region) else {
            without.push(region);
            continue;
        };
        for kind in ["RSA2048", "RSA4096", "ECC384"] {
            let name = format!("# Amazon RDS {region} Root CA {kind} G1\n-----BEGIN CERTIFICATE-----\n");
            assert!(roots.contains(&name), "{region} lacks {kind}");
        }
        assert_eq!(roots.matches("-----END CERTIFICATE-----\n").count(), 3, "{region}");
    }
    assert_eq!(without, ["ap-east-2", "ap-southeast-6"]);
}
