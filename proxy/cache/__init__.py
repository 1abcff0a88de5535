"""What is shared between requests: answers that are kept (`memory`) and requests under way (`flights`)."""
