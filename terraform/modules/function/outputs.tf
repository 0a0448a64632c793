output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "arn" {
  description = "ARN of the function, for what invokes it."
  value       = aws_lambda_function.this.arn
}

output "invoke_arn" {
  description = "Address by which API Gateway invokes the function."
  value       = aws_lambda_function.this.invoke_arn
}

output "log_group_name" {
  description = "Log group of the function."
  value       = aws_cloudwatch_log_group.this.name
}

output "policies" {
  description = "Every policy of the function's role by its name; the tests hold them to least privilege."
  value       = merge(var.policies, { runtime = data.aws_iam_policy_document.runtime.json })
}
