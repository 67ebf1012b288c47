"""What the rows of one order say together: fields on its first row only, rows that are alike, money of the whole order."""
