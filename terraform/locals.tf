# The only place that knows partitions, regions and accounts: every module gets them from here.

data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

locals {
  # Where this deployment stands. Modules build names, service principals and the few ARNs that cannot be
  # read from a resource (a queue's own policy names the queue) from it.
  place = {
    name_prefix = "sendmill-${var.environment}"
    environment = var.environment
    partition   = data.aws_partition.current.partition
    dns_suffix  = data.aws_partition.current.dns_suffix
    region      = data.aws_region.current.name
    account_id  = data.aws_caller_identity.current.account_id
  }

  # Where the console is opened, and so where a sign-in comes back to. The emulator has a second address.
  console_urls = concat(
    ["${module.api.url}/"],
    [for url in compact([var.emulator_url]) : "${url}/_aws/execute-api/${module.api.id}/$default/"],
    sort(var.console_urls),
  )

  # What every module may need besides: the keys it encrypts with, and what all functions have in common.
  deployment = merge(local.place, {
    keys = module.keys.arns

    functions = {
      subnet_ids         = try(var.vpc.subnet_ids, [])
      security_group_ids = try(var.vpc.security_group_ids, [])
      fips_endpoints     = var.use_fips_endpoints ? local.fips_services : []
    }
  })

  # Called by the functions, and with a FIPS endpoint of their own in both partitions. Not in the list:
  # `scheduler`, for which the SDK makes up a name that does not exist. docs/govcloud.md
  fips_services = ["dynamodb", "s3", "secretsmanager", "sesv2", "sqs"]
}
