output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "arn" {
  description = "ARN of the alias `live`, for what invokes the function."
  value       = aws_lambda_alias.live.arn
}

output "alias" {
  description = "Name of the alias, for permissions and settings that belong to it."
  value       = aws_lambda_alias.live.name
}

output "invoke_arn" {
  description = "Address by which API Gateway invokes the alias."
  value       = aws_lambda_alias.live.invoke_arn
}

output "log_group_name" {
  description = "Log group of the function."
  value       = aws_cloudwatch_log_group.this.name
}

output "policies" {
  description = "Every policy of the function's role by its name; the tests hold them to least privilege."
  value       = merge(var.policies, { runtime = data.aws_iam_policy_document.runtime.json })
}
