# The only place that knows partitions, regions and accounts: every module gets them from here.

data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

locals {
  # Where this deployment stands. Modules build names, service principals and the few ARNs that cannot be
  # read from a resource (a queue's own policy names the queue) from it.
  deployment = {
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
}
