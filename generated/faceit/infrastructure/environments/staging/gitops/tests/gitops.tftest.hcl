# Written by blueprint. Change the blueprint instead.

# Runs without an AWS account and without a cluster. Terraform cannot mock a provider with an ephemeral resource, so the real AWS
# provider runs with invalid credentials; `git_credential = false` skips the only call that it would make.
provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "mock"
  secret_key                  = "mock"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

mock_provider "helm" {}

mock_provider "kubernetes" {}

override_data {
  target = data.aws_eks_cluster.main

  values = {
    endpoint              = "https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com"
    certificate_authority = [{ data = "bW9jaw==" }]
  }
}

variables {
  git_credential = false
}

run "endpoint" {
  assert {
    condition     = local.api_host == data.aws_eks_cluster.main.endpoint && data.aws_eks_cluster.main.name == local.name
    error_message = "Without a tunnel, the providers must connect to the endpoint of the cluster."
  }
}

run "tunnel" {
  variables {
    api_port = 6443
  }

  assert {
    condition     = local.api_host == "https://127.0.0.1:6443"
    error_message = "With a tunnel, the providers must connect to its local port."
  }

  assert {
    condition     = "https://${local.api_server_name}" == data.aws_eks_cluster.main.endpoint
    error_message = "With a tunnel, the certificate must be verified against the host name of the endpoint."
  }
}

run "no_privileged_port" {
  command = plan

  variables {
    api_port = 443
  }

  expect_failures = [var.api_port]
}

run "credential" {
  assert {
    condition     = kubernetes_secret_v1.git.data_wo_revision == 1
    error_message = "The write-only value needs a revision: without one it is never written."
  }

  assert {
    condition     = kubernetes_secret_v1.git.metadata[0].namespace == "flux-system" && kubernetes_secret_v1.git.metadata[0].name == "flux-system"
    error_message = "The FluxInstance refers to its credential by this name."
  }
}

run "flux" {
  assert {
    condition = alltrue([
      for release in [helm_release.flux_operator, helm_release.flux_instance] :
      can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", release.version)) && release.namespace == "flux-system"
    ])
    error_message = "Charts must have an exact version and be installed in flux-system."
  }

  assert {
    condition = alltrue([
      yamldecode(helm_release.flux_instance.values[0]).instance.cluster.multitenant,
      yamldecode(helm_release.flux_instance.values[0]).instance.cluster.networkPolicy,
      can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", yamldecode(helm_release.flux_instance.values[0]).instance.distribution.version)),
    ])
    error_message = "Flux must have an exact version, multi-tenancy lockdown and network policies."
  }

  assert {
    condition     = yamldecode(helm_release.flux_instance.values[0]).instance.sync.path == "clusters/${local.environment}"
    error_message = "Flux must sync the folder of this environment."
  }

  assert {
    condition     = yamldecode(helm_release.flux_instance.values[0]).instance.sync.pullSecret == kubernetes_secret_v1.git.metadata[0].name
    error_message = "Flux must use the credential of this root."
  }
}
