"""What is bought: projects, tenders and lots, their documents, terms and notices, and the questions asked about them."""
