# Bucket, key and region come from env/<environment>.s3.tfbackend: one bucket an account, and accounts of
# different partitions cannot share one. The lock is an object beside the state (no DynamoDB table).
terraform {
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
