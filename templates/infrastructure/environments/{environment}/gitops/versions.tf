# The second root: it works inside the cluster that the platform root creates, and finds the cluster by its name. In a single root
# the Kubernetes and Helm providers would be configured from a cluster that does not exist yet when the first plan is made.
terraform {
  required_version = ">= 1.11, < 2.0"

  # All of these support write-only arguments or ephemeral values, which keep secrets out of the state.
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

  # Without `encrypt`: it would request AES256 for each upload, instead of the KMS key that is the default of the bucket.
  backend "s3" {
    bucket              = "#{ environment.state_bucket() }#"
    key                 = "gitops/terraform.tfstate"
    region              = "#{ environment.region }#"
    allowed_account_ids = ["#{ environment.account }#"]
    use_lockfile        = true
  }
}
