locals {
  project = "#{ environment.platform }#"
  environment = "#{ environment }#"
  account     = "#{ environment.account }#"
  region      = "#{ environment.region }#"

  # The one name from which the cluster, the VPC, the roles, the keys and the log groups take theirs.
  name = "#{ environment.prefix() }#"

  # Each role made here carries the boundary; the apply role cannot create one without it.
  boundary = #{ environment.boundary()|hcl }#

  # Where these roles lie.
  role_path = "#{ environment.roles.path }#"

  tags = {
    project     = local.project
    environment = local.environment
#%- if let Some(owner) = environment.owner() %#
    owner = #{ owner.clone()|hcl }#
#%- endif %#
    managed-by = "terraform"
#%- for tag in environment.tags %#
    #{ tag.key|hcl }# = #{ tag.value|hcl }#
#%- endfor %#
  }
}

provider "aws" {
  region              = local.region
  allowed_account_ids = [local.account]

  default_tags {
    tags = local.tags
  }
}
