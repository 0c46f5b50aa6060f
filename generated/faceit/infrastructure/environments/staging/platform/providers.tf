# Written by blueprint. Change the blueprint instead.

locals {
  project     = "faceit"
  environment = "staging"
  account     = "444455556666"
  region      = "eu-west-1"

  # The one name from which the cluster, the VPC, the roles, the keys and the log groups take theirs.
  name = "faceit-staging"

  # Each role made here carries the boundary; the apply role cannot create one without it.
  boundary = "arn:aws:iam::444455556666:policy/faceit-staging-boundary"

  # Where these roles lie.
  role_path = "/"

  tags = {
    project     = local.project
    environment = local.environment
    owner       = "acme"
    managed-by  = "terraform"
  }
}

provider "aws" {
  region              = local.region
  allowed_account_ids = [local.account]

  default_tags {
    tags = local.tags
  }
}
