# Written by blueprint. Change the blueprint instead.

# The zone, and the certificate for it and for all hosts in it. Nothing here waits for the certificate: it is issued only after the
# zone above delegates this one, and a first apply that waited for that would fail after 75 minutes.

locals {
  zone = "bookshop.example.org"

  zone_id  = aws_route53_zone.main.zone_id
  zone_arn = aws_route53_zone.main.arn

  # The servers that the zone above must name in its NS record.
  name_servers = aws_route53_zone.main.name_servers

  # ACM asks for one and the same record for the zone and for `*.` of it.
  validation = tolist(aws_acm_certificate.main.domain_validation_options)[0]
}

resource "aws_route53_zone" "main" {
  # checkov:skip=CKV2_AWS_38:DNSSEC needs a DS record in the zone above; without it no name of this zone resolves
  # checkov:skip=CKV2_AWS_39:Query logs are possible in us-east-1 only, and contain personal data

  name    = local.zone
  comment = "Hosts of ${local.name}"
}

# The zone above is in this account, so the delegation is written here.
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

  # A certificate cannot be deleted while a load balancer uses it, so the new one comes first.
  lifecycle {
    create_before_destroy = true
  }
}

# For a name, ACM asks for the same record in all certificates of an account, so it may exist already.
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
    error_message = "The certificate for ${local.zone} is ${aws_acm_certificate.main.status}. PENDING_VALIDATION ends some minutes after the zone above names these servers: ${join(", ", local.name_servers)}. For any other state see the README, \"When the certificate is not issued\"."
  }
}
