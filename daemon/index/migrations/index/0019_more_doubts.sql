-- What was marked but is called no tumor, and what was analyzed against the input check's word.
INSERT INTO doubts VALUES ('white_matter_lesions'), ('analyzed_anyway');
