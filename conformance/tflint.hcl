# Every rule of the Terraform ruleset, which is built into tflint, except those named here with their reason.
plugin "terraform" {
  enabled = true
  preset  = "all"
}

# It requires main.tf, variables.tf and outputs.tf, the layout of a reusable module. These are root modules, and their files have the
# names of their subjects.
rule "terraform_standard_module_structure" {
  enabled = false
}
