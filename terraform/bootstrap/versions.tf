# Exact provider, because one lock file serves laptops, CI and GovCloud alike. 1.11 is the first Terraform
# with write-only arguments, which keep every key out of the state.
terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}
