use blueprint::{
    catalogue::Region,
    cidr::{self, Purpose},
    diagnostics::Report,
    network::{Network, Spec},
    source::Located,
};
use ipnet::Ipv4Net;
use proptest::prelude::*;

fn network(range: Ipv4Net, region: &str) -> Network {
    let spec = Spec { range: Some(Located::new((0..0).into(), range.to_string())), ..Spec::default() };
    let mut report = Report::default();
    let network = Network::resolve(Some(&spec), Region::read(region).as_ref(), &mut report);
    assert!(!report.failed());
    network
}

fn read(text: &str, purpose: Purpose) -> Option<Ipv4Net> {
    cidr::read(&Located::new((0..0).into(), text.to_owned()), purpose, &mut Report::default())
}

/// An invalid range and a range that is not allowed have different findings.
#[test]
fn a_range_is_malformed_or_refused() {
    let code = |text: &str, purpose| {
        let mut report = Report::default();
        cidr::read(&Located::new((0..0).into(), text.to_owned()), purpose, &mut report);
        report.codes().first().copied()
    };
    for purpose in [Purpose::Network, Purpose::Peer, Purpose::Services, Purpose::Api, Purpose::Entrance] {
        for text in ["", "10.0.0.0", "10.0.0.1/16", "10.0.0.0/33", "2001:db8::/32", "everybody"] {
            assert_eq!(code(text, purpose), Some("network/cidr"), "{text}");
        }
    }
    let refused = [
        ("10.0.0.0/24", Purpose::Network, Some("network/range")),
        ("224.0.0.0/16", Purpose::Network, Some("network/range")),
        ("10.0.0.0/20", Purpose::Network, None),
        ("0.0.0.0/0", Purpose::Peer, Some("network/peer")),
        ("10.0.0.0/8", Purpose::Peer, None),
        ("8.8.8.0/24", Purpose::Services, Some("cluster/service-range")),
        ("172.20.0.0/16", Purpose::Services, None),
        ("0.0.0.0/0", Purpose::Api, Some("cluster/public-range")),
        ("10.0.0.0/16", Purpose::Api, Some("cluster/public-range")),
        ("198.51.100.0/24", Purpose::Api, None),
        ("0.0.0.0/0", Purpose::Entrance, None),
    ];
    for (text, purpose, expected) in refused {
        assert_eq!(code(text, purpose), expected, "{text}");
    }
}

proptest! {
    /// For any range: subnets are inside it, do not overlap, and are large enough for nodes, pods and load balancers.
    #[test]
    fn subnets_are_inside_and_apart(first in 1u8..224, second: u8, third: u8, length in 16u8..=20) {
        let range = Ipv4Net::new([first, second, third, 0].into(), length).unwrap().trunc();
        prop_assume!(read(&range.to_string(), Purpose::Network).is_some());
        let zones = network(range, "us-east-1").zones;
        prop_assert_eq!(zones.len(), 3);
        let subnets: Vec<Ipv4Net> = zones.iter().flat_map(|zone| [zone.private, zone.public, zone.database]).collect();
        for (index, subnet) in subnets.iter().enumerate() {
            prop_assert!(range.contains(subnet));
            prop_assert!(subnets[index + 1..].iter().all(|other| !subnet.contains(other) && !other.contains(subnet)));
        }
        for zone in &zones {
            prop_assert!(zone.private.hosts().count() >= 500, "too few addresses for pods");
            prop_assert!(zone.public.hosts().count() >= 8 + 5, "too few addresses for load balancers");
            // An instance, its standby, and both again during a replacement. AWS reserves five.
            prop_assert!(zone.database.hosts().count() >= 4 + 5, "too few addresses for databases");
        }
    }

    #[test]
    fn only_ranges_that_a_vpc_may_have(text in "[0-9./]{0,20}") {
        if let Some(range) = read(&text, Purpose::Network) {
            prop_assert!((16..=20).contains(&range.prefix_len()));
            prop_assert_eq!(range, range.trunc());
        }
    }
}

/// Adding or removing a zone does not move the subnets of the others.
#[test]
fn a_zone_more_moves_no_other() {
    let range = "10.0.0.0/16".parse().unwrap();
    let (three, four) = (network(range, "eu-west-1").zones, {
        let spec = Spec { zones: Some(Located::new((0..0).into(), 4)), ..Spec::default() };
        Network::resolve(Some(&spec), Region::read("eu-west-2").as_ref(), &mut Report::default()).zones
    });
    for (a, b) in three.iter().zip(&four) {
        assert_eq!((a.private, a.public, a.database), (b.private, b.public, b.database));
    }
    let said: Vec<String> =
        four.iter().map(|zone| format!("{} {} {}", zone.private, zone.public, zone.database)).collect();
    assert_eq!(
        said,
        [
            "10.0.0.0/19 10.0.128.0/22 10.0.144.0/22",
            "10.0.32.0/19 10.0.132.0/22 10.0.148.0/22",
            "10.0.64.0/19 10.0.136.0/22 10.0.152.0/22",
            "10.0.96.0/19 10.0.140.0/22 10.0.156.0/22"
        ]
    );
}

/// A region with two zones for a cluster has two by default, and three are refused.
#[test]
fn a_small_region_gets_what_it_has() {
    let region = Region::read("us-west-1").unwrap();
    let mut report = Report::default();
    assert_eq!(Network::resolve(None, Some(&region), &mut report).zones.len(), 2);
    assert!(!report.failed());
    let spec = Spec { zones: Some(Located::new((0..0).into(), 3)), ..Spec::default() };
    Network::resolve(Some(&spec), Some(&region), &mut report);
    assert_eq!(report.codes(), ["network/zones"]);
}
