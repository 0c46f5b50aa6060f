# Written by blueprint. Change the blueprint instead.

locals {
  project     = "bookshop"
  environment = "production"
  account     = "111122223333"
  region      = "eu-west-1"

  # The name of the cluster, and the prefix of all other names.
  name = "${local.project}-${local.environment}"

  # The role that applies this root, created by the bootstrap stack.
  apply_role = "arn:aws:iam::${local.account}:role/${local.name}-apply"

  # The permissions boundary and the path of every role in this root: the apply role cannot create roles without them.
  boundary  = "arn:aws:iam::111122223333:policy/boundary"
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
