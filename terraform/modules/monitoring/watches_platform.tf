# Do the parts work? Functions, the API, the tables.

locals {
  of_function = {
    for job, function in var.functions : job => {
      namespace      = "AWS/Lambda"
      dimensions     = { FunctionName = function.name }
      statistic      = "Sum"
      period_seconds = 300
    }
  }

  error_watches = {
    for job, function in var.functions : "function-errors-${job}" => merge(local.of_function[job], {
      metric   = "Errors"
      share_of = "Invocations"
      runbook  = "function-errors"
      levels = {
        for severity, percent in { warning = 1, critical = 5 } : severity => {
          rule                             = "More than ${percent} % of the calls of ${function.name} ended in an error, in 5 minutes."
          threshold                        = percent
          periods                          = 1
        }
      }
    })
  }

  throttle_watches = {
    for job, function in var.functions : "function-throttles-${job}" => merge(local.of_function[job], {
      metric         = "Throttles"
      period_seconds = 60
      runbook        = "function-throttles"
      levels = {
        for severity, minutes in { warning = 3, critical = 15 } : severity => {
          rule                             = "Calls of ${function.name} were refused for lack of concurrency, in each of ${minutes} minutes."
          threshold                        = 0
          periods                          = minutes
        }
      }
    })
  }

  duration_watches = {
    for job, function in var.functions : "function-duration-${job}" => merge(local.of_function[job], {
      metric     = "Duration"
      percentile = "p99"
      runbook    = "function-duration"
      levels = {
        warning = {
          rule      = "One call in a hundred of ${function.name} takes more than 80 % of its ${function.timeout_seconds} s, in 5 minutes."
          threshold = 0.8 * function.timeout_seconds * 1000
          periods   = 1
        }
      }
    })
  }

  # Lambda cuts a chain of function and queue after 16 rounds, and what was in the message is gone.
  recursion_watches = {
    for job, function in var.functions : "function-recursion-${job}" => merge(local.of_function[job], {
      metric  = "RecursiveInvocationsDropped"
      runbook = "function-recursion"
      levels = {
        critical = {
          rule      = "Lambda took calls of ${function.name} for an endless loop and dropped them, in 5 minutes."
          threshold = 0
          periods   = 1
        }
      }
    })
  }

  of_api = {
    namespace      = "AWS/ApiGateway"
    dimensions     = { ApiId = var.api_id }
    statistic      = "Sum"
    period_seconds = 300
  }

  api_watches = {
    api-errors = merge(local.of_api, {
      metric   = "5xx"
      share_of = "Count"
      runbook  = "api-errors"
      levels = {
        for severity, percent in { warning = 1, critical = 5 } : severity => {
          rule                             = "The API answered more than ${percent} % of the requests with 5xx, in 5 minutes."
          threshold                        = percent
          periods                          = 1
        }
      }
    })

    api-latency = merge(local.of_api, {
      metric     = "Latency"
      percentile = "p99"
      runbook    = "api-latency"
      levels = {
        for severity, seconds in { warning = 3, critical = 10 } : severity => {
          rule                             = "One request to the API in a hundred took more than ${seconds} s, in 5 minutes."
          threshold                        = seconds * 1000
          periods                          = 1
        }
      }
    })
  }

  of_table = {
    for holds, name in var.tables : holds => {
      namespace      = "AWS/DynamoDB"
      dimensions     = { TableName = name }
      statistic      = "Sum"
      period_seconds = 60
    }
  }

  throttled_table_watches = {
    for pair in setproduct(keys(var.tables), ["Read", "Write"]) :
    "table-throttles-${pair[0]}-${lower(pair[1])}" => merge(local.of_table[pair[0]], {
      metric  = "${pair[1]}ThrottleEvents"
      runbook = "table-throttles"
      levels = {
        warning = {
          rule      = "DynamoDB refused ${lower(pair[1])}s of ${var.tables[pair[0]]} for their rate, in each of 5 minutes."
          threshold = 0
          periods   = 5
        }
        critical = {
          rule      = "DynamoDB refused more than 100 ${lower(pair[1])}s of ${var.tables[pair[0]]} a minute, for 5 minutes."
          threshold = 100
          periods   = 5
        }
      }
    })
  }

  conflict_watches = {
    for holds, name in var.tables : "table-conflicts-${holds}" => merge(local.of_table[holds], {
      metric  = "TransactionConflict"
      runbook = "table-conflicts"
      levels = {
        for severity, count in { warning = 50, critical = 100 } : severity => {
          rule                           = "More than ${count} transactions a minute met on the same item of ${name}, for 5 minutes."
          threshold                      = count
          periods                        = 5
        }
      }
    })
  }

  platform_watches = merge(
    local.error_watches,
    local.throttle_watches,
    local.duration_watches,
    local.recursion_watches,
    local.api_watches,
    local.throttled_table_watches,
    local.conflict_watches,
  )
}
