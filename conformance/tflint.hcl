# Every rule of the Terraform ruleset, which is built into tflint, but those named here with their reason.
plugin "terraform" {
  enabled = true
  preset  = "all"
}

# It asks for main.tf, variables.tf and outputs.tf, the form of a module that others call. These are root modules, and their files
# are named for what they hold.
rule "terraform_standard_module_structure" {
  enabled = false
}
