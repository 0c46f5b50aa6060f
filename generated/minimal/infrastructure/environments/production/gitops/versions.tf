# Written by blueprint. Change the blueprint instead.

# The second root: it manages objects in the cluster that the platform root creates, and looks up the cluster by name. In a single root,
# the Kubernetes and Helm providers would depend on a cluster that does not exist yet at the first plan.
terraform {
  required_version = ">= 1.11, < 2.0"

  # These versions support write-only arguments and ephemeral values, which keep secrets out of the state.
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

  # Without `encrypt`: it would request AES256 instead of the default KMS key of the bucket.
  backend "s3" {
    bucket              = "orchard-production-tfstate-111122223333"
    key                 = "gitops/terraform.tfstate"
    region              = "eu-west-1"
    allowed_account_ids = ["111122223333"]
    use_lockfile        = true
  }
}
