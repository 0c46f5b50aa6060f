//! The permissions of Terraform for the zone and its certificate.

use super::Dns;
use crate::{
    rights::{Names, Policy, Rights, Statement, any},
    words::StackWord,
};

/// AWS chooses their ids, and no condition key applies.
fn zones() -> Vec<StackWord> {
    vec![StackWord::ours("arn:aws:route53:::hostedzone/*")]
}

const NAMES: &str = "route53:ChangeResourceRecordSetsNormalizedRecordNames";
const TYPES: &str = "route53:ChangeResourceRecordSetsRecordTypes";

impl Dns {
    /// The permissions that it needs.
    pub fn rights(&self, names: &Names) -> Rights {
        let read = read(names).into_iter().map(|it| it.within(Policy::ReadEdge)).collect();
        let change = self.change(names).into_iter().map(|it| it.within(Policy::ApplyEdge)).collect();
        Rights { read, change, uses: Vec::new() }
    }

    fn change(&self, names: &Names) -> Vec<Statement> {
        let zone = self.zone.to_string();
        let mut change = Vec::new();
        if self.creates() {
            change.extend([
                Statement::allow("CreateZone", &["route53:CreateHostedZone"]).on(vec![any()]),
                Statement::allow(
                    "ChangeZone",
                    &[
                        "route53:ChangeTagsForResource",
                        "route53:DeleteHostedZone",
                        "route53:UpdateHostedZoneComment",
                    ],
                )
                .on(zones())
                .why("Route 53 does not delete a zone that contains records."),
            ]);
        }
        let write = |sid| Statement::allow(sid, &["route53:ChangeResourceRecordSets"]).on(zones());
        change.push(
            write("ProveTheName")
                .when("ForAllValues:StringEquals", TYPES, ["CNAME"])
                .when("ForAllValues:StringLike", NAMES, [format!("_*.{zone}").as_str()])
                .when("Null", NAMES, ["false"])
                .why("In any zone, because AWS chooses the ids, but only this name and type."),
        );
        if self.parent.is_some() {
            change.push(
                write("Delegate")
                    .when("ForAllValues:StringEquals", NAMES, [zone.as_str()])
                    .when("ForAllValues:StringEquals", TYPES, ["NS"])
                    .when("Null", NAMES, ["false"]),
            );
        }
        let certificates = || vec![names.arn("acm", "certificate/*")];
        change.extend([
            Statement::allow("WaitForRecords", &["route53:GetChange"])
                .on(vec![StackWord::ours("arn:aws:route53:::change/*")]),
            Statement::allow("RequestCertificate", &["acm:RequestCertificate"])
                .on(vec![any()])
                .when("ForAllValues:StringEquals", "acm:DomainNames", [format!("*.{zone}").as_str(), &zone])
                .when("StringEquals", "acm:ValidationMethod", ["DNS"])
                .with_request_tags(names),
            Statement::allow("TagNewCertificate", &["acm:AddTagsToCertificate"])
                .on(certificates())
                .with_request_tags(names),
            Statement::allow(
                "ChangeCertificate",
                &["acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:RemoveTagsFromCertificate"],
            )
            .on(certificates())
            .with_resource_tags(names),
        ]);
        change
    }
}

fn read(names: &Names) -> Vec<Statement> {
    vec![
        Statement::allow("FindZones", &["route53:ListHostedZones", "route53:ListHostedZonesByName"])
            .on(vec![any()]),
        Statement::allow(
            "Zones",
            &["route53:GetHostedZone", "route53:ListResourceRecordSets", "route53:ListTagsForResource"],
        )
        .on(zones())
        .why("AWS chooses the ids of zones, and no condition key applies. Their records are public."),
        Statement::allow("Certificates", &["acm:DescribeCertificate", "acm:ListTagsForCertificate"])
            .on(vec![names.arn("acm", "certificate/*")])
            .with_resource_tags(names),
    ]
}
