# Three mistakes that would be found too late: another workspace's state (the validation of
# var.environment), another account (allowed_account_ids in providers.tf), another partition (here).
data "aws_partition" "current" {
  lifecycle {
    postcondition {
      # The emulator answers with commercial ARNs in every region, so there is nothing to compare there.
      condition     = var.emulated || self.partition == var.partition
      error_message = "Environment ${var.environment} belongs in partition ${var.partition}, but these credentials and region ${var.aws_region} are in ${self.partition}: check AWS_PROFILE."
    }
  }
}
