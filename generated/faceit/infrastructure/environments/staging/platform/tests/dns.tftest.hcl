# Written by blueprint. Change the blueprint instead.

# Before the zone is delegated, its certificate is pending: a plan must show a warning and not fail.
mock_provider "aws" {
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:444455556666:log-group:mock" }
  }

  mock_data "aws_route53_zone" {
    defaults = {
      arn          = "arn:aws:route53:::hostedzone/Z0123456789MOCK"
      name_servers = ["ns-1.mock.invalid", "ns-2.mock.invalid"]
      zone_id      = "Z0123456789MOCK"
    }
  }

  mock_resource "aws_acm_certificate" {
    defaults = {
      status = "PENDING_VALIDATION"
      domain_validation_options = [{
        domain_name           = "mock.invalid"
        resource_record_name  = "_mock.invalid"
        resource_record_type  = "CNAME"
        resource_record_value = "_mock.acm-validations.aws"
      }]
    }
  }

  mock_resource "aws_route53_zone" {
    defaults = {
      arn          = "arn:aws:route53:::hostedzone/Z0123456789MOCK"
      name_servers = ["ns-1.mock.invalid", "ns-2.mock.invalid"]
      zone_id      = "Z0123456789MOCK"
    }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mock" }
  }

  mock_resource "aws_eks_cluster" {
    defaults = {
      arn      = "arn:aws:eks:eu-west-1:444455556666:cluster/faceit-staging"
      identity = [{ oidc = [{ issuer = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF" }] }]
    }
  }

  mock_resource "aws_eks_node_group" {
    defaults = {
      resources = [{ autoscaling_groups = [{ name = "eks-mock" }], remote_access_security_group_id = "" }]
    }
  }

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = {
      arn = "arn:aws:iam::444455556666:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::444455556666:role/mock" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:444455556666:key/01234567-89ab-cdef-0123-456789abcdef" }
  }
}

run "undelegated" {
  expect_failures = [check.certificate]
}
