# Written by blueprint. Change the blueprint instead.

# The second root: it reaches into the cluster that the platform root made, and finds it by its name. In one root the
# providers below would be configured from resources that do not exist yet.
terraform {
  required_version = ">= 1.11, < 2.0"

  # The lines whose schemas this root was held against; both know write-only arguments.
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.47"
    }

    helm = {
      source  = "hashicorp/helm"
      version = "~> 3.0"
    }

    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = "~> 2.38"
    }
  }

  # `encrypt` stays away: it asks for AES256 in each upload, and the bucket would no longer use its own KMS key.
  backend "s3" {
    bucket              = "bookshop-staging-tfstate-444455556666"
    key                 = "gitops/terraform.tfstate"
    region              = "eu-west-1"
    allowed_account_ids = ["444455556666"]
    use_lockfile        = true
  }
}
