locals {
  project     = "#{ environment.platform }#"
  environment = "#{ environment }#"
  account     = "#{ environment.account }#"
  region      = "#{ environment.region }#"

  # The name of the cluster, and the prefix of all other names.
  name = "${local.project}-${local.environment}"

  # The role that applies this root, created by the bootstrap stack.
  apply_role = "arn:aws:iam::${local.account}:role/${local.name}-apply"

  # The permissions boundary and the path of every role in this root: the apply role cannot create roles without them.
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
