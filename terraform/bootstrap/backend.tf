# The bucket of env/<environment>.s3.tfbackend, under a key of its own (scripts/bootstrap.sh gives both).
#
# No `encrypt`: without a key's ARN beside it, it asks for a key of S3's own, object by object, and goes before the
# bucket's encryption by the account's key.
terraform {
  backend "s3" {
    use_lockfile = true
  }
}
