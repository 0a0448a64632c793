# As in the root: another partition is refused here, another account in providers.tf, another workspace's state
# in variables.tf. The script looks before it makes a bucket, too.
data "aws_partition" "current" {
  lifecycle {
    postcondition {
      # The emulator answers with commercial ARNs in every region, so there is nothing to compare there.
      condition     = var.emulated || self.partition == var.partition
      error_message = "Environment ${var.environment} belongs in partition ${var.partition}, but these credentials and region ${var.aws_region} are in ${self.partition}: check AWS_PROFILE."
    }
  }
}
