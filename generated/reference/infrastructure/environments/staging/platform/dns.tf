# Written by blueprint. Change the blueprint instead.

# The zone, and the certificate for the zone and its hosts. Nothing waits for the certificate: it is issued only after the parent zone
# delegates this zone, and a first apply that waited for it would fail after 75 minutes.

locals {
  zone = "bookshop.example.org"

  zone_id  = aws_route53_zone.main.zone_id
  zone_arn = aws_route53_zone.main.arn

  # The name servers for the NS record in the parent zone.
  name_servers = aws_route53_zone.main.name_servers

  # ACM requires the same record for the zone and for `*.` of it.
  validation = tolist(aws_acm_certificate.main.domain_validation_options)[0]
}

resource "aws_route53_zone" "main" {
  # checkov:skip=CKV2_AWS_38:DNSSEC needs a DS record in the parent zone; without it no name of this zone resolves
  # checkov:skip=CKV2_AWS_39:Query logs are supported only in us-east-1, and contain personal data

  name    = local.zone
  comment = "Hosts of ${local.name}"
}

# The parent zone is in this account, so the delegation is created here.
data "aws_route53_zone" "parent" {
  name         = "example.org"
  private_zone = false
}

resource "aws_route53_record" "delegation" {
  zone_id = data.aws_route53_zone.parent.zone_id
  name    = local.zone
  type    = "NS"
  ttl     = 300
  records = aws_route53_zone.main.name_servers
}

resource "aws_acm_certificate" "main" {
  domain_name               = local.zone
  subject_alternative_names = ["*.${local.zone}"]
  validation_method         = "DNS"

  tags = { Name = local.name }

  # A certificate cannot be deleted while a load balancer uses it, so the new one is created first.
  lifecycle {
    create_before_destroy = true
  }
}

# ACM requires the same record for a name in all certificates of an account, so it may already exist.
resource "aws_route53_record" "validation" {
  zone_id         = local.zone_id
  name            = local.validation.resource_record_name
  type            = local.validation.resource_record_type
  ttl             = 300
  records         = [local.validation.resource_record_value]
  allow_overwrite = true
}

check "certificate" {
  assert {
    condition     = aws_acm_certificate.main.status == "ISSUED"
    error_message = "The certificate for ${local.zone} is ${aws_acm_certificate.main.status}. PENDING_VALIDATION ends some minutes after the parent zone delegates to these name servers: ${join(", ", local.name_servers)}. For any other status see the README, \"Request a new certificate\"."
  }
}
