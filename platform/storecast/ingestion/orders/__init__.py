"""What the rows of one order say together: order fields, rows that are alike, money of the whole order."""
