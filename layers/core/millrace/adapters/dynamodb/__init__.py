"""Documents and Feed on DynamoDB, through PynamoDB's connection."""

from millrace.adapters.dynamodb.documents import DynamoDocuments
from millrace.adapters.dynamodb.stream import feed_records

__all__ = ["DynamoDocuments", "feed_records"]
