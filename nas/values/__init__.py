"""What scores say about losses, and how surely: values of actions, groups chosen by them, what a wrong choice costs."""
