# The bucket of env/<environment>.s3.tfbackend, under a key of its own (scripts/bootstrap.sh gives both).
terraform {
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
