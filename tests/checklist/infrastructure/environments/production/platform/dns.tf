# What the checks accept of a certificate, until the platform has one.

resource "aws_acm_certificate" "main" {
  domain_name       = "*.faceit.example.com"
  validation_method = "DNS"
}

check "certificate" {
  assert {
    condition     = aws_acm_certificate.main.status == "ISSUED"
    error_message = "The certificate waits until the zone is delegated."
  }
}
