use std::collections::BTreeSet;

use crate::{Tree, plan, tree, wide};

/// The only files that may mention all environments, and only in lists.
const LISTS: [&str; 7] = [
    "Ledger.Service/.github/workflows/release.yml",
    "Ledger.Service/README.md",
    "batch/.github/workflows/release.yml",
    "batch/README.md",
    "ledger-infrastructure/README.md",
    "ledger-manifests/README.md",
    "ledger-manifests/scripts/validate",
];

fn with(environments: &str) -> Tree {
    // Two environments would need two zones, so these have none.
    let base = wide(|table| {
        table.remove("environments");
        table.remove("dns");
        table["components"].as_table_mut().unwrap().remove("external-dns");
        for key in ["host", "public", "allowed-ranges"] {
            table["applications"]["ledger-api"].as_table_mut().unwrap().remove(key);
        }
    });
    tree(plan(&format!("{base}\n{environments}")))
}

#[test]
fn a_new_environment_touches_nothing_else() {
    let before = with("[environments.staging]\n[environments.production]");
    let after = with(
        "[environments.staging]\n[environments.production]\n
         [environments.sandbox]\naws.account = \"777788889999\"\nnetwork.range = \"10.40.0.0/16\"
         cluster.administrators = [\"arn:aws:iam::777788889999:user/jo\"]
         applications.batch.replicas.min = 1",
    );
    for (path, text) in &before {
        if !LISTS.contains(&path.as_str()) {
            assert!(*text == after[path], "`{path}` changed");
            continue;
        }
        let rest: String =
            after[path].split_inclusive('\n').filter(|line| !line.contains("sandbox")).collect();
        assert!(*text == rest, "`{path}` changed beyond its list");
    }
    for path in after.keys().filter(|path| !before.contains_key(*path)) {
        let own = path.contains("/sandbox/") || path.ends_with("/terraform-sandbox.yml");
        assert!(own, "`{path}` belongs to no environment");
    }
}

#[test]
fn an_overlay_leaves_the_base_alone_and_has_the_same_files() {
    let files = tree(plan(&wide(|_| ())));
    let plain = with("[environments.staging]\n[environments.production]");
    let of = |files: &Tree, folder: &str| -> BTreeSet<(String, String)> {
        let inside = files
            .iter()
            .filter_map(|(path, text)| Some((path.split_once(folder)?.1.to_owned(), text.clone())));
        inside.collect()
    };
    assert_eq!(of(&files, "/base/"), of(&plain, "/base/"), "an overlay changed the base");
    let names = |environment| {
        let files = of(&files, &format!("/overlays/{environment}/"));
        files.into_iter().map(|(path, _)| path).collect::<Vec<_>>()
    };
    assert_eq!(names("staging"), names("production"));
    let scaled = names("staging").iter().filter(|it| *it == "autoscaler.yaml").count();
    assert_eq!(scaled, 2, "two applications have overlays");
}

/// Overlays are merged by key, at any depth.
#[test]
fn an_overlay_overrides_only_what_it_says() {
    let files = tree(plan(&wide(|_| ())));
    let values = |environment| {
        &files[&format!("ledger-manifests/clusters/{environment}/controllers/metrics-server/values.yaml")]
    };
    assert!(
        values("staging").contains("norway: \"yes\"")
            && values("staging").contains("--metric-resolution=30s")
    );
    assert!(
        values("production").contains("norway: \"no\"")
            && values("production").contains("--metric-resolution=30s")
    );
}

/// An account has one OIDC provider for GitHub's tokens: its first environment creates it, the others refer to it.
#[test]
fn an_account_has_one_oidc_provider() {
    let makes = |environments: &str| -> Vec<bool> {
        let files = with(environments);
        let stacks = files.iter().filter(|(path, _)| path.ends_with("/bootstrap/stack.yaml"));
        stacks.map(|(_, text)| text.contains("Type: AWS::IAM::OIDCProvider")).collect()
    };
    // In the order of paths: blue, green.
    assert_eq!(makes("[environments.blue]\n[environments.green]"), [true, false]);
    assert_eq!(makes("[environments.green]\n[environments.blue]"), [false, true]);
    let other = "[environments.blue]\n[environments.green]\naws.account = \"777788889999\"
                 cluster.administrators = [\"arn:aws:iam::777788889999:user/jo\"]";
    assert_eq!(makes(other), [true, true]);
}
