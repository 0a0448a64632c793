# As in the root: everything obeys AWS_ENDPOINT_URL.
provider "aws" {
  region                     = var.aws_region
  allowed_account_ids        = var.allowed_account_ids
  use_fips_endpoint          = var.use_fips_endpoints
  s3_use_path_style          = var.emulated
  skip_requesting_account_id = false

  default_tags {
    tags = {
      service     = "sendmill"
      environment = var.environment
      owner       = var.owner
      managed-by  = "terraform"
      data-class  = "internal"
    }
  }
}
