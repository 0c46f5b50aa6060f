locals {
  project = "#{ environment.platform }#"
  environment = "#{ environment }#"
  account     = "#{ environment.account }#"
  region      = "#{ environment.region }#"

  # The one name from which the cluster, the VPC, the roles, the keys and the log groups take theirs.
  name = "#{ environment.prefix() }#"

  # Each role made here carries the boundary; the apply role cannot create one without it.
  boundary = "arn:aws:iam::#{ environment.account }#:policy/#{ environment.prefix() }#-boundary"

  tags = {
    project     = local.project
    environment = local.environment
    owner       = "#{ environment.github.owner }#"
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
