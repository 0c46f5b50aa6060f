# Written by blueprint. Change the blueprint instead.

# The zone, and the certificate for it and all hosts in it. Nothing here waits: until the zone is delegated no certificate
# is issued, and an apply that waited for it would hang and fail.

locals {
  zone = "staging.faceit.example.com"

  zone_id  = aws_route53_zone.main.zone_id
  zone_arn = aws_route53_zone.main.arn

  # The zone above must name them.
  name_servers = aws_route53_zone.main.name_servers

  # One record proves both names: they share it.
  validation = tolist(aws_acm_certificate.main.domain_validation_options)[0]
}

resource "aws_route53_zone" "main" {
  # checkov:skip=CKV2_AWS_38:A signed zone that is delegated without its key cannot be resolved at all
  # checkov:skip=CKV2_AWS_39:Logs of all queries are kept in us-east-1 only, and say who visits whom

  name    = local.zone
  comment = "Hosts of ${local.name}"
}

resource "aws_acm_certificate" "main" {
  domain_name               = local.zone
  subject_alternative_names = ["*.${local.zone}"]
  validation_method         = "DNS"

  tags = { Name = local.name }

  # A load balancer that still shows the old one keeps it from being deleted.
  lifecycle {
    create_before_destroy = true
  }
}

# ACM asks for the same record for each certificate of an account for these names: another one may have written it.
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
