    ALTER TABLE analysis_wishes ADD COLUMN series_number INTEGER; -- of the series that is wanted
    ALTER TABLE analysis_wishes ADD COLUMN series_description TEXT; -- NULL = no other series
    ALTER TABLE analysis_wishes ADD COLUMN series_slices INTEGER; -- when it was chosen
    ALTER TABLE analysis_wishes ADD COLUMN reason TEXT NOT NULL DEFAULT ''; -- as it was typed
