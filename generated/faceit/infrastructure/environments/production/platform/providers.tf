# Written by blueprint. Change the blueprint instead.

locals {
  project     = "faceit"
  environment = "production"
  account     = "111122223333"
  region      = "eu-west-1"

  # The cluster's name, and what the names of everything else begin with.
  name = "${local.project}-${local.environment}"

  # The role that applies this root. The bootstrap stack creates it.
  apply_role = "arn:aws:iam::${local.account}:role/${local.name}-apply"

  # The permissions boundary and the path of every role in this root: IAM lets the apply role create no other.
  boundary  = "arn:aws:iam::${local.account}:policy/${local.name}-boundary"
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
