# Written by blueprint. Change the blueprint instead.

locals {
  project     = "bookshop"
  environment = "production"
  account     = "111122223333"
  region      = "eu-west-1"

  # The cluster's name, as the platform root gave it.
  name = "bookshop-production"
}

variable "api_port" {
  description = "Port of this machine that leads to the Kubernetes API, as `scripts/tunnel` opens it. Without one the endpoint itself is asked."
  type        = number
  default     = null

  validation {
    condition     = var.api_port == null || (coalesce(var.api_port, 0) >= 1024 && coalesce(var.api_port, 0) <= 65535)
    error_message = "A port from 1024 to 65535."
  }
}

provider "aws" {
  region              = local.region
  allowed_account_ids = [local.account]

  default_tags {
    tags = {
      project     = local.project
      environment = local.environment
      owner       = "acme"
      managed-by  = "terraform"
    }
  }
}

data "aws_eks_cluster" "main" {
  name = local.name
}

locals {
  endpoint  = data.aws_eks_cluster.main.endpoint
  authority = base64decode(data.aws_eks_cluster.main.certificate_authority[0].data)

  # The tunnel carries the bytes and nothing else: the certificate is checked against the endpoint's own name.
  api_host        = var.api_port == null ? local.endpoint : "https://127.0.0.1:${var.api_port}"
  api_server_name = trimprefix(local.endpoint, "https://")

  # A token lives for minutes. It is fetched when it is needed, and never stands in a plan or a state.
  token = {
    api_version = "client.authentication.k8s.io/v1beta1"
    command     = "aws"
    args        = ["eks", "get-token", "--cluster-name", local.name, "--region", local.region, "--output", "json"]
  }
}

provider "kubernetes" {
  host                   = local.api_host
  tls_server_name        = local.api_server_name
  cluster_ca_certificate = local.authority

  exec {
    api_version = local.token.api_version
    command     = local.token.command
    args        = local.token.args
  }
}

provider "helm" {
  kubernetes = {
    host                   = local.api_host
    tls_server_name        = local.api_server_name
    cluster_ca_certificate = local.authority
    exec                   = local.token
  }
}
