# Bucket, key and region come from env/<environment>.s3.tfbackend: one bucket an account, and accounts of
# different partitions cannot share one. The lock is an object beside the state (no DynamoDB table).
#
# No `encrypt`: without a key's ARN beside it, it asks for a key of S3's own, object by object, and goes before the
# bucket's encryption by the account's key.
terraform {
  backend "s3" {
    use_lockfile = true
  }
}
