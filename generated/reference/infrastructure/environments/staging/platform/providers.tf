# Written by blueprint. Change the blueprint instead.

locals {
  project     = "bookshop"
  environment = "staging"
  account     = "444455556666"
  region      = "eu-west-1"

  # The one name from which the cluster, the VPC, the roles, the keys and the log groups take theirs.
  name = "bookshop-staging"

  # Each role made here carries the boundary; the apply role cannot create one without it.
  boundary = "arn:aws:iam::444455556666:policy/boundary"

  # Where these roles lie.
  role_path = "/"

  tags = {
    project       = local.project
    environment   = local.environment
    owner         = "acme"
    managed-by    = "terraform"
    "cost-center" = "4711"
  }
}

provider "aws" {
  region              = local.region
  allowed_account_ids = [local.account]

  default_tags {
    tags = local.tags
  }
}
