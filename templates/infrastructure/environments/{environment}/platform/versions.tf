terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.47"
    }
#%- if !folders.is_empty() %#

    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
#%- endif %#
  }

  # Without `encrypt`: it would request AES256 instead of the default KMS key of the bucket.
  backend "s3" {
    bucket              = "#{ environment.state_bucket() }#"
    key                 = "platform/terraform.tfstate"
    region              = "#{ environment.region }#"
    allowed_account_ids = ["#{ environment.account }#"]
    use_lockfile        = true
  }
}
