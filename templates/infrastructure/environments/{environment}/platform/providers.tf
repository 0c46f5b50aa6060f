locals {
  project     = "#{ environment.platform }#"
  environment = "#{ environment }#"
  account     = "#{ environment.account }#"
  region      = "#{ environment.region }#"

  # The cluster's name, and what the names of everything else begin with.
  name = "${local.project}-${local.environment}"

  # The role that applies this root. The bootstrap stack creates it.
  apply_role = "arn:aws:iam::${local.account}:role/${local.name}-apply"

  # The permissions boundary and the path of every role in this root: IAM lets the apply role create no other.
#%- if environment.roles.boundary.is_none() %#
  boundary = "arn:aws:iam::${local.account}:policy/${local.name}-boundary"
#%- else %#
  boundary = #{ environment.boundary()|hcl }#
#%- endif %#
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
