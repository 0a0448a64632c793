# The emulator is no special case here: provider and backend both obey AWS_ENDPOINT_URL.
provider "aws" {
  region              = var.aws_region
  allowed_account_ids = var.allowed_account_ids
  use_fips_endpoint   = var.use_fips_endpoints

  # A path style address needs no DNS name for each bucket, which an emulator on 127.0.0.1 does not have.
  s3_use_path_style = var.emulated

  # False on purpose, also on the emulator: the partition and the account in every ARN come from this call.
  skip_requesting_account_id = false

  default_tags {
    tags = {
      service     = "sendmill"
      environment = var.environment
      owner       = var.owner
      managed-by  = "terraform"
      data-class  = "personal"
    }
  }
}
