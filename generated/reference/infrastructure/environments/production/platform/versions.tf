# Written by blueprint. Change the blueprint instead.

terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.47"
    }

    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
  }

  # Without `encrypt`: it would request AES256 instead of the default KMS key of the bucket.
  backend "s3" {
    bucket              = "bookshop-production-tfstate-111122223333"
    key                 = "platform/terraform.tfstate"
    region              = "eu-west-1"
    allowed_account_ids = ["111122223333"]
    use_lockfile        = true
  }
}
